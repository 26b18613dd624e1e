/** `pio86 ioports`: port maps in the shape of /proc/ioports. */
import type { CommandSpec } from '../command.ts';
import { EXIT_OK } from '../exit-codes.ts';

interface IoportsOptions {
  readonly board: 'kvm' | 'pc';
  readonly json?: boolean;
}

export const ioportsCommand: CommandSpec<IoportsOptions> = {
  name: 'ioports',
  summary: "print a board's port map, or read one",
  description:
    "Prints the board's port map in the shape of /proc/ioports. Given a file of that shape, or " +
    'one that contains such a map, checks and prints that instead.',
  examples: ['pio86 ioports', 'pio86 ioports --board kvm --json', 'pio86 ioports /proc/ioports'],
  arguments: [{ name: '[file]', description: "file with a port map, '-' for standard input" }],
  options: [
    { flags: '--board <board>', description: 'whose map', choices: ['kvm', 'pc'], default: 'pc' },
    { flags: '--json', description: 'print one JSON document' },
  ],
  async action({ io, out }, [file], { board, json }) {
    const { formatIoports, ioportsJson } = await import('../../ioports/format.ts');
    const { boardPortTree, readPortTree } = await import('../port-maps.ts');
    const tree = file === undefined ? boardPortTree(board) : await readPortTree(file, io);
    const source = file ?? `board ${board}`;
    out.write(
      json === true ? `${JSON.stringify(ioportsJson(tree, source), null, 2)}\n` : formatIoports(tree),
    );
    return EXIT_OK;
  },
};
