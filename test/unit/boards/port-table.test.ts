import { describe, expect, it } from 'vitest';
import type { Board } from '../../../src/boards/board.ts';
import { EXTRA_DEVICES } from '../../../src/boards/extra-devices.ts';
import { createKvmBoard } from '../../../src/boards/kvm.ts';
import { createPcBoard } from '../../../src/boards/pc.ts';
import { MEMORY_TABLE, PORT_TABLE } from '../../../src/boards/port-table.ts';
import { BOCHS_DEBUG_PORT, SEABIOS_DEBUG_PORT } from '../../../src/devices/debug-console.ts';
import { EXIT_PORT, EXIT_PORT_LEN } from '../../../src/devices/exit-port.ts';
import { FW_CFG_PORT, FW_CFG_PORT_LEN } from '../../../src/devices/fw-cfg.ts';
import { I8042_COMMAND_PORT, I8042_DATA_PORT } from '../../../src/devices/i8042-reg.ts';
import { RTC_LEN, RTC_PORT } from '../../../src/devices/mc146818.ts';
import { TESTDEV_IO_PORT, TESTDEV_IRQ_LINES, TESTDEV_IRQ_PORT } from '../../../src/devices/pc-testdev.ts';
import { PM_TIMER_LEN, PM_TIMER_PORT } from '../../../src/devices/pm-timer.ts';
import { PORT92 } from '../../../src/devices/port92.ts';
import { POST_CODE_PORT } from '../../../src/devices/post-code.ts';
import { COM1_PORT } from '../../../src/devices/serial.ts';
import { UART_LEN } from '../../../src/devices/serial-reg.ts';

const text = (board: Board) =>
  board.portMap.map(({ base, len, label, device }) => {
    const ports = [base, base + len - 1].map((port) => port.toString(16).padStart(4, '0')).join('-');
    return `${ports} : ${label} (${device})`;
  });

const KVM_MAP = [
  '0020-0021 : pic1 (i8259)',
  '0040-0043 : timer0 (i8254)',
  '0061-0061 : PCSPKR (speaker)',
  '00a0-00a1 : pic2 (i8259)',
  '00e9-00e9 : debugcon (debug-console)',
  '00f4-00f7 : isa-debug-exit (exit-port)',
  '03f8-03ff : serial (serial)',
  '0402-0402 : debugcon (debug-console)',
  '04d0-04d1 : elcr (i8259)',
];
const PC_ONLY = [
  '0060-0060 : keyboard (i8042)',
  '0064-0064 : keyboard (i8042)',
  '0070-0071 : rtc0 (mc146818)',
  '0080-0080 : POST (post-code)',
  '0092-0092 : port92 (port92)',
  '0608-060b : ACPI PM_TMR (acpi-pm-timer)',
];

describe('the port map', () => {
  it('of the board kvm is KVM and the means to speak and to end', () => {
    expect(text(createKvmBoard())).toEqual(KVM_MAP);
  });

  it('of the board pc has the rest of a PC too', () => {
    expect(text(createPcBoard())).toEqual([...KVM_MAP, ...PC_ONLY].sort());
  });

  it('says who takes each port', () => {
    const board = createPcBoard();
    const at = [0x1f, 0x20, 0x43, 0x61, 0x62, 0x64, 0x71, 0x72, 0xf7, 0xf8, 0x3ff, 0xffff];
    expect(at.map((port) => board.deviceAt(port))).toEqual([
      null,
      'i8259',
      'i8254',
      'speaker',
      null,
      'i8042',
      'mc146818',
      null,
      'exit-port',
      null,
      'serial',
      null,
    ]);
    expect(createKvmBoard().deviceAt(0x64)).toBeNull();
  });
});

describe('the table', () => {
  it('has the ports that the devices document', () => {
    const ranges = PORT_TABLE.map(({ base, len }) => [base, len]);
    expect(ranges).toEqual([
      [I8042_DATA_PORT, 1],
      [I8042_COMMAND_PORT, 1],
      [RTC_PORT, RTC_LEN],
      [POST_CODE_PORT, 1],
      [PORT92, 1],
      [TESTDEV_IO_PORT, 8],
      [BOCHS_DEBUG_PORT, 1],
      [EXIT_PORT, EXIT_PORT_LEN],
      [COM1_PORT, UART_LEN],
      [SEABIOS_DEBUG_PORT, 1],
      [FW_CFG_PORT, FW_CFG_PORT_LEN],
      [PM_TIMER_PORT, PM_TIMER_LEN],
      [TESTDEV_IRQ_PORT, TESTDEV_IRQ_LINES],
    ]);
  });

  it('names devices that the board pc has, or gets', () => {
    const { devices } = createPcBoard({ extraDevices: EXTRA_DEVICES });
    expect(PORT_TABLE.filter((row) => !devices.has(row.device))).toEqual([]);
    expect([...devices.keys()].sort()).toEqual(
      [...new Set([...PORT_TABLE, ...MEMORY_TABLE].map((row) => row.device))].sort(),
    );
  });
});

describe('--device pc-testdev', () => {
  it('adds the test device, its memory and fw_cfg', () => {
    const board = createKvmBoard({ extraDevices: ['pc-testdev'] });
    expect(text(board)).toEqual(
      [
        ...KVM_MAP,
        '00e0-00e7 : pc-testdev (pc-testdev)',
        '0510-0511 : fw_cfg (fw-cfg)',
        '2000-2017 : pc-testdev-irq (pc-testdev)',
      ].sort(),
    );
    const mmio = board.vcpu.userspaceMmio;
    mmio?.write(0xff00_0010, 4, 0x1234_5678);
    expect([mmio?.read(0xff00_0012, 2), mmio?.read(0xff01_0000, 1)]).toEqual([0x1234, 0xff]);
  });
});
