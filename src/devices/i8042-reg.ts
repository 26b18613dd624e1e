/**
 * Ports, registers and commands of the keyboard controller with the names of Linux's include/linux/i8042.h and
 * drivers/input/serio/i8042.h (IBM PC AT technical reference, “Keyboard Controller”).
 */

/** Data port. */
export const I8042_DATA_PORT = 0x60;
/** Command port (write) and status port (read). */
export const I8042_COMMAND_PORT = 0x64;
/** ISA interrupt of the keyboard. */
export const I8042_KBD_IRQ = 1;

/** Status: the output buffer holds a byte. */
export const I8042_STR_OBF = 1 << 0;
/** Status: the system flag, bit 2 of the command byte or a passed self-test. */
export const I8042_STR_SYS = 1 << 2;
/** Status: the last write went to the command port. */
export const I8042_STR_CMDDAT = 1 << 3;
/** Status: the key lock is open. */
export const I8042_STR_KEYLOCK = 1 << 4;

/** Command byte: interrupt when the output buffer is full. */
export const I8042_CTR_KBDINT = 1 << 0;
export const I8042_CTR_SYS = 1 << 2;
/** Command byte: the keyboard is held back. */
export const I8042_CTR_KBDDIS = 1 << 4;
export const I8042_CTR_AUXDIS = 1 << 5;
/** Command byte: translate to scan code set 1. */
export const I8042_CTR_XLATE = 1 << 6;

export const I8042_CMD_CTL_RCTR = 0x20;
export const I8042_CMD_CTL_WCTR = 0x60;
export const I8042_CMD_AUX_DISABLE = 0xa7;
export const I8042_CMD_AUX_ENABLE = 0xa8;
export const I8042_CMD_AUX_TEST = 0xa9;
export const I8042_CMD_CTL_TEST = 0xaa;
export const I8042_CMD_KBD_TEST = 0xab;
export const I8042_CMD_KBD_DISABLE = 0xad;
export const I8042_CMD_KBD_ENABLE = 0xae;
export const I8042_CMD_READ_INPUT = 0xc0;
export const I8042_CMD_READ_OUTPUT = 0xd0;
export const I8042_CMD_WRITE_OUTPUT = 0xd1;
export const I8042_CMD_KBD_LOOP = 0xd2;
export const I8042_CMD_AUX_LOOP = 0xd3;
export const I8042_CMD_AUX_SEND = 0xd4;
export const I8042_CMD_DISABLE_A20 = 0xdd;
export const I8042_CMD_ENABLE_A20 = 0xdf;
/** F0 … FF pulse the output port's bits 3:0 whose command bit is 0. */
export const I8042_CMD_PULSE = 0xf0;

/** Output port: 0 pulls the reset line. */
export const I8042_OUT_RESET = 1 << 0;
/** Output port: 1 opens the A20 gate. */
export const I8042_OUT_A20 = 1 << 1;
/** Output port: follows OBF. */
export const I8042_OUT_OBF = 1 << 4;
/** Output port: follows OBF of the auxiliary device. */
export const I8042_OUT_AUX_OBF = 1 << 5;
