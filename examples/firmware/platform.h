/* How a program reaches its console; each computer has its own console_*.c. */
#pragma once

void console_open(void);
void console_write(char c);

static inline void print(const char *text) {
  while (*text) console_write(*text++);
}

static inline void print_hex(unsigned value) {
  for (int shift = 28; shift >= 0; shift -= 4) console_write("0123456789abcdef"[(value >> shift) & 15]);
}
