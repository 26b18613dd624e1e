/**
 * The devices, to be used alone: each needs a clock and wires, none needs the machine (`pio86/devices`).
 */
export { type Alarm, type Clock, DEFAULT_IPS, NEVER, VirtualClock } from '../bus/clock.ts';
export { IO_NOT_HANDLED, IO_NOTHING_STORED, type IoDevice, type IoSize } from '../bus/io-device.ts';
export { type ByteSink, type IrqLine, NO_IRQ_LINE, NO_SINK } from '../bus/irq-line.ts';
export { A20Gate } from './a20-gate.ts';
export { fillCmosLayout } from './cmos-layout.ts';
export { DebugConsole } from './debug-console.ts';
export { ExitPort } from './exit-port.ts';
export { FwCfg, type FwCfgState } from './fw-cfg.ts';
export { I8042, type I8042State, type I8042Wiring } from './i8042.ts';
export { I8254, type I8254Options } from './i8254.ts';
export { KVM_PIT_FREQ, type KvmKpitState, type PitFunctions, type PitLine } from './i8254-state.ts';
export { Pic8259, type Pic8259Options } from './i8259.ts';
export type { KvmPicPairState, PicFunctions, PicTrace } from './i8259-state.ts';
export { Ioapic, type IoapicOptions } from './ioapic.ts';
export type { IoapicFunctions, IoapicTrace, KvmIoapicChipState } from './ioapic-state.ts';
export {
  defaultIrqRouting,
  type IrqchipInput,
  IrqRouting,
  type IrqRoutingFunctions,
  type IrqRoutingTrace,
} from './irq-routing.ts';
export { Lapic, LocalApics } from './lapic.ts';
export type {
  EoiListener,
  KvmApics,
  KvmLapicChipState,
  KvmLapicIrq,
  LapicFunctions,
  LapicTrace,
  LapicVcpu,
} from './lapic-state.ts';
export { Mc146818, type Mc146818Options, type Mc146818State, RTC_IRQ, RTC_PORT } from './mc146818.ts';
export { PcTestdev, type PcTestdevState } from './pc-testdev.ts';
export { PcTestdevIomem } from './pc-testdev-iomem.ts';
export { AcpiPmTimer, nsToPmTicks } from './pm-timer.ts';
export { Port92, type Port92Wiring } from './port92.ts';
export { PostCodeLatch } from './post-code.ts';
export { Ps2Keyboard } from './ps2-keyboard.ts';
export { COM1_IRQ, COM1_PORT, Serial16550A, type SerialWiring } from './serial.ts';
export type { SerialState } from './serial-state.ts';
