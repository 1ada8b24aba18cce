/* A Modbus RTU slave by libmodbus: values laid into its registers by libmodbus' own functions, then served for ever.
 * Arguments: device, baud, unit, a float, a 32-bit integer, a 64-bit integer. Says "ready" when it listens. */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>

#define BITS 64
#define REGISTERS 128

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  modbus_t *context = modbus_new_rtu(argv[1], atoi(argv[2]), 'N', 8, 1);
  modbus_mapping_t *map = modbus_mapping_new(BITS, BITS, REGISTERS, REGISTERS);
  if (context == NULL || map == NULL) return 1;
  modbus_set_slave(context, atoi(argv[3]));

  float number = strtof(argv[4], NULL);
  int32_t medium = (int32_t)strtol(argv[5], NULL, 10);
  int64_t large = strtoll(argv[6], NULL, 10);
  /* libmodbus names the bytes as they lie in the memory of a little-endian host, where each register's two are swapped
   * against the wire: its badc travels as ABCD, its dcba as CDAB (10802.12: dcba gives C87C 4628, as GEOKON prints). */
  modbus_set_float_badc(number, map->tab_registers + 0);
  modbus_set_float_dcba(number, map->tab_registers + 2);
  modbus_set_float_abcd(number, map->tab_registers + 4);
  modbus_set_float_cdab(number, map->tab_registers + 6);
  MODBUS_SET_INT32_TO_INT16(map->tab_registers, 8, medium);
  MODBUS_SET_INT64_TO_INT16(map->tab_registers, 10, large);
  for (int at = 0; at < REGISTERS; at++) map->tab_input_registers[at] = map->tab_registers[at];
  for (int at = 0; at < BITS; at++) {
    map->tab_input_bits[at] = at % 3 == 0;
    map->tab_bits[at] = at % 5 == 0;
  }

  if (modbus_connect(context) == -1) {
    fprintf(stderr, "%s\n", modbus_strerror(errno));
    return 1;
  }
  printf("ready\n");
  fflush(stdout);
  uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
  for (;;) {
    int length = modbus_receive(context, query);
    if (length > 0) modbus_reply(context, query, length, map);
    else if (length == -1 && (errno == EIO || errno == EBADF || errno == ENXIO || errno == ECONNRESET)) return 0;
  }
}
