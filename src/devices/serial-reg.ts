/**
 * Registers of the 16550A UART with the names of Linux's include/uapi/linux/serial_reg.h (National Semiconductor
 * PC16550D data sheet, “Registers”). Offsets are from the base port; DLL and DLM replace 0 and 1 while LCR.DLAB = 1.
 */

/** Receive buffer (read) and transmitter holding (write). */
export const UART_RX = 0;
/** Interrupt enable. */
export const UART_IER = 1;
export const UART_IER_RDI = 1 << 0;
export const UART_IER_THRI = 1 << 1;
export const UART_IER_RLSI = 1 << 2;
export const UART_IER_MSI = 1 << 3;
/** The bits that exist. */
export const UART_IER_MASK = 0x0f;

/** Interrupt identification (read). */
export const UART_IIR = 2;
export const UART_IIR_MSI = 0x00;
export const UART_IIR_NO_INT = 0x01;
export const UART_IIR_THRI = 0x02;
export const UART_IIR_RDI = 0x04;
export const UART_IIR_RLSI = 0x06;
export const UART_IIR_RX_TIMEOUT = 0x0c;
/** Both bits are set while the FIFOs are on. */
export const UART_IIR_FIFO_ENABLED = 0xc0;

/** FIFO control (write). */
export const UART_FCR = 2;
export const UART_FCR_ENABLE_FIFO = 1 << 0;
export const UART_FCR_CLEAR_RCVR = 1 << 1;
export const UART_FCR_CLEAR_XMIT = 1 << 2;
export const UART_FCR_DMA_SELECT = 1 << 3;
/** Receiver trigger level in bits 7:6. */
export const UART_FCR_TRIGGER_MASK = 0xc0;

/** Line control. */
export const UART_LCR = 3;
export const UART_LCR_WLEN_MASK = 0x03;
export const UART_LCR_STOP = 1 << 2;
export const UART_LCR_PARITY = 1 << 3;
export const UART_LCR_DLAB = 1 << 7;

/** Modem control. */
export const UART_MCR = 4;
export const UART_MCR_DTR = 1 << 0;
export const UART_MCR_RTS = 1 << 1;
export const UART_MCR_OUT1 = 1 << 2;
export const UART_MCR_OUT2 = 1 << 3;
export const UART_MCR_LOOP = 1 << 4;
/** The bits that exist; 7:5 are permanently 0. */
export const UART_MCR_MASK = 0x1f;

/** Line status. */
export const UART_LSR = 5;
export const UART_LSR_DR = 1 << 0;
export const UART_LSR_OE = 1 << 1;
export const UART_LSR_PE = 1 << 2;
export const UART_LSR_FE = 1 << 3;
export const UART_LSR_BI = 1 << 4;
export const UART_LSR_THRE = 1 << 5;
export const UART_LSR_TEMT = 1 << 6;
export const UART_LSR_FIFOE = 1 << 7;
/** The bits that raise a receiver line status interrupt. */
export const UART_LSR_BRK_ERROR_BITS = UART_LSR_OE | UART_LSR_PE | UART_LSR_FE | UART_LSR_BI;
/** The errors that belong to one character and travel through the FIFO with it. */
export const UART_LSR_CHARACTER_ERRORS = UART_LSR_PE | UART_LSR_FE | UART_LSR_BI;

/** Modem status. */
export const UART_MSR = 6;
export const UART_MSR_DCTS = 1 << 0;
export const UART_MSR_DDSR = 1 << 1;
export const UART_MSR_TERI = 1 << 2;
export const UART_MSR_DDCD = 1 << 3;
export const UART_MSR_ANY_DELTA = 0x0f;
export const UART_MSR_CTS = 1 << 4;
export const UART_MSR_DSR = 1 << 5;
export const UART_MSR_RI = 1 << 6;
export const UART_MSR_DCD = 1 << 7;
export const UART_MSR_LINES = 0xf0;

/** Scratch. */
export const UART_SCR = 7;

/** Ports of one UART. */
export const UART_LEN = 8;
/** Depth of each FIFO. */
export const UART_FIFO_LEN = 16;
/** The crystal; sixteen clocks of the divided rate are one bit. */
export const UART_CLOCK_HZ = 1_843_200;

const TRIGGER_LEVELS = [1, 4, 8, 14] as const;

/** Characters in the receiver FIFO at which FCR value `fcr` raises the receive interrupt. */
export function triggerLevel(fcr: number): number {
  return TRIGGER_LEVELS[(fcr & UART_FCR_TRIGGER_MASK) >> 6];
}

/** Nanoseconds that one character takes on the line: start bit, data, parity, stop bits. */
export function characterTimeNs(lcr: number, divisor: number): number {
  const dataBits = 5 + (lcr & UART_LCR_WLEN_MASK);
  const parityBits = (lcr & UART_LCR_PARITY) === 0 ? 0 : 1;
  const stopBits = (lcr & UART_LCR_STOP) === 0 ? 1 : dataBits === 5 ? 1.5 : 2;
  // A divisor of 0 is undefined in the data sheet; a 16-bit down counter makes it 65,536.
  const clocks = (1 + dataBits + parityBits + stopBits) * 16 * (divisor === 0 ? 0x1_0000 : divisor);
  return Math.round((clocks * 1_000_000_000) / UART_CLOCK_HZ);
}
