# Where every example's processor starts: set up the stack and .bss, call main, stop in a loop should it return.
# The vector table comes first: offset 0 is PicoRV32's, SERV's, VexRiscv's and CVA6's reset address, offset 0x80 Ibex's.
    .section .text.start
    .globl _start
_start:
    j       reset
    .org    0x80
reset:
#ifdef HAS_TRAPS
    .option arch, +zicsr
    la      t0, trap
    csrw    mtvec, t0
    csrr    t0, mhartid
    bnez    t0, park
#endif
    # A saved register must not be unknown in a 4-state simulation: give all of them a value.
    .irp    register, x1, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15
    li      \register, 0
    .endr
    .irp    register, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, x31
    li      \register, 0
    .endr
    la      sp, _stack_end
    la      t0, _bss_start
    la      t1, _bss_end
1:  bgeu    t0, t1, 2f
    sw      zero, 0(t0)
    addi    t0, t0, 4
    j       1b
2:  call    main
stop:
    j       stop

# Other harts count for ever, each from its own number.
park:
    addi    t0, t0, 1
    j       park

# Nothing here may trap: say so on the console and stop.
    .balign 4
trap:
    la      sp, _stack_end
    call    trapped
    j       stop
