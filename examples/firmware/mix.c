/* A self-checking program for small processors.
 *
 * It first checks arithmetic, shifts, loads, stores and branches against known answers and says on the console whether
 * all were right. Then it repeats a mix of work for ever (a sieve, CRC-32, string and structure copies in the manner of
 * Dhrystone, a matrix product, a sort) and prints a checksum after each round, which depends on everything computed.
 * WORK scales the rounds: SERV needs 32 cycles and more for each instruction.
 */
#include "platform.h"

#ifndef WORK
#define WORK 4
#endif

static unsigned failures;
static volatile unsigned opaque; /* Hides constants from the compiler. */

void trapped(void) {
  print("trap\n");
}

static void check(const char *name, unsigned value, unsigned expected) {
  if (value == expected) return;
  failures++;
  print("wrong: ");
  print(name);
  console_write(' ');
  print_hex(value);
  console_write('\n');
}

static unsigned hide(unsigned value) {
  opaque = value;
  return opaque;
}

static void check_arithmetic(void) {
  unsigned a = hide(0x89abcdefu), b = hide(0x12345678u);
  check("add", a + b, 0x9be02467u);
  check("sub", b - a, 0x88888889u);
  check("xor", (a ^ b) & ~(a | 0xffu), 0x12141200u);
  check("sll", a << hide(7), 0xd5e6f780u);
  check("srl", a >> hide(11), 0x00113579u);
  check("sra", (unsigned)((int)a >> hide(11)), 0xfff13579u);
  check("slt", ((int)a < (int)b) | (a < b) << 1, 1);
  check("mul", a * b, 0xe242d208u);
  check("mulhu", (unsigned)((unsigned long long)a * b >> 32), 0x09ca39e0u);
  check("mulh", (unsigned)(((long long)(int)a * (int)b) >> 32), 0xf795e368u);
  check("divu", a / hide(1234567), 1870);
  check("remu", a % hide(1234567), 1097677u);
  check("div", (unsigned)((int)a / (int)hide(-12345)), 160812u);
  check("rem", (unsigned)((int)a % (int)hide(10007)), (unsigned)-641);
}

static void check_memory(void) {
  static unsigned char bytes[16];
  static const signed char negative[4] = {-1, -128, 127, 0};
  for (unsigned i = 0; i < 16; i++) bytes[i] = (unsigned char)(i * 17 + 3);
  unsigned sum = 0;
  for (unsigned i = 0; i < 16; i += 4) sum = sum * 31 + *(volatile unsigned *)(bytes + i);
  check("words", sum, 0x84400148u);
  sum = 0;
  for (unsigned i = 0; i < 16; i += 2) sum = sum * 31 + (unsigned)*(volatile short *)(bytes + i);
  check("halves", sum, 0x37562a08u);
  sum = 0;
  for (unsigned i = 0; i < 4; i++) sum = sum * 31 + (unsigned)((const volatile signed char *)negative)[i];
  check("signed bytes", sum, 0xfffdba82u);
}

static unsigned sieve(void) {
  enum { SIZE = 128 * WORK };
  static unsigned char composite[SIZE];
  unsigned count = 0;
  for (unsigned i = 0; i < SIZE; i++) composite[i] = 0;
  for (unsigned i = 2; i < SIZE; i++) {
    if (composite[i]) continue;
    count++;
    for (unsigned j = i + i; j < SIZE; j += i) composite[j] = 1;
  }
  return count;
}

static unsigned crc32(unsigned crc, const unsigned char *data, unsigned length) {
  crc = ~crc;
  while (length--) {
    crc ^= *data++;
    for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
  }
  return ~crc;
}

struct record {
  struct record *next;
  int kind;
  int number;
  char text[24];
};

static int same_text(const char *a, const char *b) {
  while (*a && *a == *b) {
    a++;
    b++;
  }
  return *a == *b;
}

static unsigned records(unsigned seed) {
  static struct record first, second;
  unsigned sum = seed;
  for (unsigned i = 0; i < 4 * WORK; i++) {
    first.next = &second;
    first.kind = (int)(i % 3);
    first.number = (int)(sum & 0xffff);
    const char *source = i & 1 ? "some string, number one" : "some string, number two";
    char *to = first.text;
    while ((*to++ = *source++)) {
    }
    second = *first.next;
    second = first;
    second.number += first.kind == 2 ? 5 : -(int)i;
    switch (second.kind) {
      case 0: sum += (unsigned)second.number * 3; break;
      case 1: sum ^= (unsigned)second.number << 4; break;
      default: sum -= (unsigned)same_text(second.text, "some string, number one") + (unsigned)second.number; break;
    }
  }
  return sum;
}

static unsigned matrix(unsigned seed) {
  enum { N = 4 };
  static int a[N][N], b[N][N], c[N][N];
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      a[i][j] = (int)(seed >> (i + j)) & 0xff;
      b[i][j] = (i * 7 + j * 3) - (int)(seed & 15);
    }
  unsigned sum = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      int dot = 0;
      for (int k = 0; k < N; k++) dot += a[i][k] * b[k][j];
      c[i][j] = dot;
      sum = sum * 33 + (unsigned)c[i][j];
    }
  return sum + sum / (1 + (seed & 0xfff)) + sum % 10007;
}

static unsigned sort(unsigned seed) {
  enum { N = 8 * WORK };
  static unsigned short values[N];
  for (unsigned i = 0; i < N; i++) {
    seed = seed << 13 ^ seed >> 7 ^ (seed + i);
    values[i] = (unsigned short)seed;
  }
  for (unsigned i = 1; i < N; i++) {
    unsigned short value = values[i];
    unsigned j = i;
    for (; j > 0 && values[j - 1] > value; j--) values[j] = values[j - 1];
    values[j] = value;
  }
  return crc32(seed, (const unsigned char *)values, sizeof values);
}

/* Sleep until the timer's interrupt is pending; it is enabled, but not taken (mstatus.MIE is 0). */
static void rest(void) {
#ifdef HAS_TIMER
  __asm__ volatile(".option push\n.option arch, +zicsr\ncsrs mie, %0\nwfi\n.option pop" : : "r"(1u << 7));
#endif
}

int main(void) {
  console_open();
  print("weft\n");
  check_arithmetic();
  check_memory();
  check("crc", crc32(0, (const unsigned char *)"123456789", 9), 0xcbf43926u);
  print(failures ? "failed\n" : "passed\n");
  unsigned sum = 1;
  for (unsigned round = 1;; round++) {
    sum += sieve();
    sum = records(sum);
    sum ^= matrix(sum);
    sum = sort(sum);
    rest();
    print_hex(sum);
    console_write('\n');
  }
}
