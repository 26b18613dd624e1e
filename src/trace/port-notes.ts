/**
 * A word about what a value means to the chip it is written to, where one access alone tells it: the 8254's control
 * word and the 8259's command words (Intel 8254 and 8259A data sheets, “Control Word Format”, “Operation Control
 * Words”).
 */

const ACCESS = ['latch count', 'lobyte', 'hibyte', 'lobyte/hibyte'];
const EOI_COMMANDS = [
  'rotate in automatic EOI off',
  'EOI',
  'no operation',
  'EOI of IRQ ',
  'rotate in automatic EOI on',
  'EOI, rotate',
  'lowest priority: IRQ ',
  'EOI and rotate on IRQ ',
];

function pitControl(value: number): string {
  const counter = value >> 6;
  if (counter === 3) {
    const what = [(value & 0x20) === 0 ? 'count' : '', (value & 0x10) === 0 ? 'status' : ''].filter(Boolean);
    const counters = [0, 1, 2].filter((n) => (value & (2 << n)) !== 0);
    return `read back ${what.join(' and ') || 'nothing'} of counter ${counters.join(', ') || 'none'}`;
  }
  const access = (value >> 4) & 3;
  if (access === 0) return `counter ${counter}, latch count`;
  const field = (value >> 1) & 7;
  return `counter ${counter}, ${ACCESS[access]}, mode ${field > 5 ? field - 4 : field}`;
}

function picCommand(value: number): string {
  if ((value & 0x10) !== 0) return `ICW1${(value & 1) === 0 ? ', no ICW4' : ''}`;
  if ((value & 0x08) !== 0) {
    if ((value & 4) !== 0) return 'OCW3: poll';
    if ((value & 2) !== 0) return `OCW3: read ${(value & 1) === 0 ? 'IRR' : 'ISR'}`;
    return 'OCW3';
  }
  const command = value >> 5;
  const text = EOI_COMMANDS[command];
  return `OCW2: ${text}${text.endsWith(' ') ? value & 7 : ''}`;
}

/** The note for a one-byte write, or `''`. */
export function portNote(device: string | null, port: number, value: number): string {
  if (device === 'i8254' && port === 0x43) return pitControl(value & 0xff);
  if (device === 'i8259' && (port === 0x20 || port === 0xa0)) return picCommand(value & 0xff);
  return '';
}
