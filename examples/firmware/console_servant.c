/* SERV's servant has one output pin: shift the bits out of it by software, as fast as the loop runs. */
#include "platform.h"

#define GPIO_ADDRESS 0x40000000

void console_open(void) {
  *(volatile unsigned *)GPIO_ADDRESS = 1; /* The line idles at one; let it do so for a while. */
  for (volatile int i = 0; i < 16; i++) {
  }
}

void console_write(char c) {
  unsigned frame = 0x200u | (unsigned)(unsigned char)c << 1; /* stop bit, data, start bit */
  unsigned bits = 10;
  __asm__ volatile(
      "1: sw %0, 0(%2)\n"
      "   srli %0, %0, 1\n"
      "   addi %1, %1, -1\n"
      "   bnez %1, 1b\n"
      : "+r"(frame), "+r"(bits)
      : "r"(GPIO_ADDRESS)
      : "memory");
}
