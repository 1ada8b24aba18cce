/** Longest row, characters: a file that is no CSV has no end of it. */
const ROW_LENGTH_MAX = 64 * 1024

/**
 * Rows of a CSV text as RFC 4180 has it, in pieces of any size: fields in quotes may hold delimiters, line ends and
 * doubled quotes. Empty lines are left out. Throws RangeError at a row without an end.
 */
export async function* csvRows(pieces: AsyncIterable<string>, delimiter: string): AsyncGenerator<string[]> {
  const cut = new RowCutter(delimiter)
  for await (const piece of pieces) yield* cut.take(piece)
  yield* cut.end()
}

class RowCutter {
  readonly #delimiter: string
  #row: string[] = []
  #field = ''
  #length = 0
  /** `quote`: a quote inside quotes, which ends them unless another one follows. */
  #state: 'plain' | 'quoted' | 'quote' = 'plain'

  constructor(delimiter: string) {
    this.#delimiter = delimiter
  }

  *take(piece: string): Generator<string[]> {
    for (const letter of piece) {
      if (++this.#length > ROW_LENGTH_MAX) throw new RangeError('a row has no end')
      if (this.#state === 'quoted') this.#inQuotes(letter)
      else if (letter === '"') this.#quote()
      else if (letter === this.#delimiter) this.#endField()
      else if (letter === '\n') yield* this.#endRow()
      else if (letter !== '\r') this.#field += letter
    }
  }

  *end(): Generator<string[]> {
    yield* this.#endRow()
  }

  #inQuotes(letter: string): void {
    if (letter === '"') this.#state = 'quote'
    else this.#field += letter
  }

  #quote(): void {
    if (this.#state === 'quote') this.#field += '"'
    this.#state = 'quoted'
  }

  #endField(): void {
    this.#row.push(this.#field)
    this.#field = ''
    this.#state = 'plain'
  }

  *#endRow(): Generator<string[]> {
    this.#endField()
    const row = this.#row
    this.#row = []
    this.#length = 0
    if (row.length > 1 || row[0] !== '') yield row
  }
}
