/**
 * An access to guest-physical addresses that userspace has to answer, in pieces, and what the instruction under way has
 * read so far (Linux: include/linux/kvm_host.h, `vcpu->mmio_needed`, `mmio_fragments`, `mmio_cur_fragment`;
 * arch/x86/kvm/kvm_emulate.h, `mem_read`).
 */

/** More accesses than any one instruction makes. */
const MAX_ACCESSES = 128;
/** A block of INS is the largest write. */
const DATA_BYTES = 2048;
/** Bytes of one read. */
export const MMIO_READ_SLOT = 8;

/** What one vCPU waits for. */
export class KvmMmioRequest {
  /** `mmio_needed`: KVM_EXIT_MMIO is to be made, or has been and waits for its answer. */
  needed = 0;
  /** `mmio_is_write`. */
  isWrite = 0;
  /** `mmio_fragments[i]`: address, where its bytes lie in {@link data} (writes) or {@link readData} (reads), bytes left. */
  readonly gpa = new Float64Array(MAX_ACCESSES);
  readonly at = new Int32Array(MAX_ACCESSES);
  readonly len = new Int32Array(MAX_ACCESSES);
  /** `mmio_nr_fragments`. */
  nr = 0;
  /** `mmio_cur_fragment`. */
  cur = 0;
  readonly data = new Uint8Array(DATA_BYTES);
  #used = 0;

  /** `mem_read`: what the instruction has read, in order; it is run again with this until it asks for no more. */
  readonly readData = new Uint8Array(MAX_ACCESSES * MMIO_READ_SLOT);
  readPos = 0;
  readEnd = 0;

  /** 1: neighbouring writes join, page by page (a block of INS). */
  isBlock = 0;
  /** 1: the instruction under way is the CPU's, run again as a whole; 0: INS or OUTS of the emulator. */
  byCpu = 0;
  /** Where that instruction stands, and EFLAGS then: what userspace writes meanwhile is lost, as in KVM. */
  eip = 0;
  eflags = 0;

  /** A new instruction begins. */
  begin(): void {
    this.drop();
    this.readPos = 0;
    this.readEnd = 0;
    this.byCpu = 0;
  }

  /** Forgets the pieces. */
  drop(): void {
    this.needed = 0;
    this.nr = 0;
    this.cur = 0;
    this.isBlock = 0;
    this.#used = 0;
  }

  /** The slot of the next read in {@link readData}; −1 when the instruction makes more reads than any can. */
  newRead(): number {
    if (this.readEnd >= MAX_ACCESSES) return -1;
    const at = this.readEnd * MMIO_READ_SLOT;
    this.readData.fill(0, at, at + MMIO_READ_SLOT);
    return at;
  }

  /** The read at `at` needs userspace for its last `len` bytes. The writes gathered so far are made again later. */
  waitForRead(gpa: number, at: number, len: number): void {
    this.drop();
    this.gpa[0] = gpa;
    this.at[0] = at;
    this.len[0] = len;
    this.nr = 1;
    this.needed = 1;
    this.isWrite = 0;
  }

  /** Gathers a write. @returns false when there are more than any instruction makes. */
  addWrite(gpa: number, size: number, low: number, high: number): boolean {
    const { nr } = this;
    const at = this.#used;
    if (at + size > DATA_BYTES) return false;
    const last = nr - 1;
    const joins = this.isBlock !== 0 && nr > 0 && this.gpa[last] + this.len[last] === gpa && gpa % 4096 !== 0;
    if (!joins && nr >= MAX_ACCESSES) return false;
    for (let i = 0; i < size; i++) this.data[at + i] = (i < 4 ? low : high) >>> (8 * (i & 3));
    this.#used = at + size;
    if (joins) {
      this.len[last] += size;
      return true;
    }
    this.gpa[nr] = gpa;
    this.at[nr] = at;
    this.len[nr] = size;
    this.nr = nr + 1;
    return true;
  }
}
