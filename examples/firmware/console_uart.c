/* The console of the computers with `uart_transmitter.v`: write to send, bit 0 says busy. */
#include "platform.h"

#define UART (*(volatile unsigned *)UART_ADDRESS)

void console_open(void) {
}

void console_write(char c) {
  while (UART & 1) {
  }
  UART = (unsigned char)c;
}
