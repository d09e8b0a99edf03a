// What modbus-slave.c, modbus-master.c and decode.c share. Source: Modbus over Serial Line V1.02, 6.2.2; MODBUS
// Application Protocol V1.1b3, 6.3.
#include <stddef.h>
#include <stdint.h>

enum {
  REGISTERS = 20,                       // read by each question
  QUESTION = 8,                         // bytes of a question of function 3
  ANSWER = 3 + 2 * REGISTERS + 2,       // and of its answer
  READ_HOLDING = 3,
};

static uint16_t crc_table[256];

static void make_crc_table(void) {
  for (unsigned byte = 0; byte < 256; byte++) {
    uint16_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1;
    crc_table[byte] = crc;
  }
}

// 0 for a frame with its own CRC behind it, which goes low byte first.
static uint16_t crc_of(const uint8_t *bytes, size_t count) {
  uint16_t crc = 0xFFFF;
  for (size_t i = 0; i < count; i++) crc = crc >> 8 ^ crc_table[(crc ^ bytes[i]) & 0xFF];
  return crc;
}

static void put_crc(uint8_t *bytes, size_t count) {
  uint16_t crc = crc_of(bytes, count);
  bytes[count] = crc, bytes[count + 1] = crc >> 8;
}
