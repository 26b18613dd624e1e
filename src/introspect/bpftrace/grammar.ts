/**
 * The grammar of bpftrace scripts, for peggy (bpftrace: man/adoc/bpftrace.adoc; src/parser.yy). Precedence is C's.
 *
 * A predicate stands between slashes, so a slash before `{` ends it and divides nowhere else.
 */

/** Source text of the grammar. */
export const GRAMMAR = String.raw`
{{
  const ESCAPES = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\', a: '\x07', b: '\b', f: '\f', v: '\v' };
  const UNITS = { ns: 1n, us: 1000n, ms: 1000000n, s: 1000000000n };
  function leftAssoc(head, tail) {
    return tail.reduce((left, [, op, at, , right]) => ({ kind: 'binary', at, op, left, right }), head);
  }
}}
{
  function at() {
    const { start } = location();
    return { line: start.line, column: start.column };
  }
}

Script = _ probes:(@Probe _)* { return probes; }

Probe = first:Point more:(_ "," _ @Point)* _ predicate:(@Predicate _)? body:Block {
  return { points: [first, ...more], predicate, body };
}
Point "probe" = first:$[A-Za-z_]+ more:(":" @$[A-Za-z0-9_.*?]+)* { return { at: at(), parts: [first, ...more] }; }
Predicate = "/" _ @Expr _ "/"

Block = "{" _ @Statements "}"
Statements = list:(@Statement _)* last:(@Simple _)? { return last === null ? list : [...list, last]; }
Statement = ";" _ @Statement / @If (_ ";")? / @Simple _ ";"
If = "if" !Word _ "(" _ condition:Expr _ ")" _ yes:Block no:(_ "else" !Word _ @(Block / other:If { return [other]; }))? {
  return { kind: 'if', at: at(), condition, yes, no: no ?? [] };
}
Simple
  = "return" !Word { return { kind: 'return', at: at() }; }
  / target:Target _ op:AssignOp _ value:Expr { return { kind: 'assign', at: at(), target, op, value }; }
  / expr:Expr { return { kind: 'expression', at: at(), expr }; }
AssignOp = op:$("<<" / ">>" / [-+*/%&|^])? "=" !"=" { return op; }
Target = Map / Variable

Expr "expression" = condition:Or rest:(_ "?" _ yes:Expr _ ":" _ no:Expr { return { yes, no }; })? {
  return rest === null ? condition : { kind: 'ternary', at: condition.at, condition, ...rest };
}
Position = "" { return at(); }
Or = h:And t:(_ "||" Position _ And)* { return leftAssoc(h, t); }
And = h:BitOr t:(_ "&&" Position _ BitOr)* { return leftAssoc(h, t); }
BitOr = h:BitXor t:(_ $("|" ![|=]) Position _ BitXor)* { return leftAssoc(h, t); }
BitXor = h:BitAnd t:(_ $("^" !"=") Position _ BitAnd)* { return leftAssoc(h, t); }
BitAnd = h:Equal t:(_ $("&" ![&=]) Position _ Equal)* { return leftAssoc(h, t); }
Equal = h:Compare t:(_ ("==" / "!=") Position _ Compare)* { return leftAssoc(h, t); }
Compare = h:Shift t:(_ ("<=" / ">=" / $("<" !"<") / $(">" !">")) Position _ Shift)* { return leftAssoc(h, t); }
Shift = h:Add t:(_ $(("<<" / ">>") !"=") Position _ Add)* { return leftAssoc(h, t); }
Add = h:Mul t:(_ ($("+" ![+=]) / $("-" ![-=])) Position _ Mul)* { return leftAssoc(h, t); }
Mul = h:Unary t:(_ ($("*" !"=") / $("%" !"=") / Divide) Position _ Unary)* { return leftAssoc(h, t); }
Divide = "/" !"=" !(_ "{") { return '/'; }

Unary
  = op:("++" / "--") _ target:Target { return { kind: 'step', at: at(), target, by: op === '++' ? 1 : -1, isPrefix: true }; }
  / op:[-!~+] _ operand:Unary { return { kind: 'unary', at: at(), op, operand }; }
  / "(" _ type:Type _ ")" _ operand:Unary { return { kind: 'cast', at: at(), type, operand }; }
  / target:Target _ op:("++" / "--") { return { kind: 'step', at: at(), target, by: op === '++' ? 1 : -1, isPrefix: false }; }
  / Primary
Type = type:$("u"? "int" ("8" / "16" / "32" / "64")) !Word { return type; }

Primary
  = Int / String / Map / Variable
  / "args" _ ("." / "->") _ name:Name { return { kind: 'field', at: at(), name }; }
  / name:Name _ "(" _ args:List? _ ")" { return { kind: 'call', at: at(), name, args: args ?? [] }; }
  / name:Name { return { kind: 'builtin', at: at(), name }; }
  / "(" _ items:List _ ")" { return items.length === 1 ? items[0] : { kind: 'tuple', at: at(), items }; }
List = first:Expr more:(_ "," _ @Expr)* { return [first, ...more]; }
Map = "@" name:$(Word*) keys:(_ "[" _ @List _ "]")? { return { kind: 'map', at: at(), name: '@' + name, keys: keys ?? [] }; }
Variable = "$" name:Name { return { kind: 'variable', at: at(), name: '$' + name }; }
Name = $([A-Za-z_] Word*)
Word = [A-Za-z0-9_]

Int "number"
  = digits:$("0" [xX] [0-9a-fA-F]+) !Word { return { kind: 'int', at: at(), value: BigInt(digits) }; }
  / "0" digits:$[0-7]+ !Word { return { kind: 'int', at: at(), value: BigInt('0o' + digits) }; }
  / digits:$([0-9] [0-9_]*) "e" zeros:$([0-9][0-9]?) !Word {
      return { kind: 'int', at: at(), value: BigInt(digits.replaceAll('_', '')) * 10n ** BigInt(zeros) };
    }
  / digits:$([0-9] [0-9_]*) unit:("ns" / "us" / "ms" / "s")? !Word {
      return { kind: 'int', at: at(), value: BigInt(digits.replaceAll('_', '')) * UNITS[unit ?? 'ns'] };
    }
String "string" = '"' chars:Char* '"' { return { kind: 'string', at: at(), value: chars.join('') }; }
Char
  = [^"\\\n]
  / "\\x" hex:$([0-9a-fA-F][0-9a-fA-F]?) { return String.fromCharCode(Number.parseInt(hex, 16)); }
  / "\\" octal:$([0-7][0-7]?[0-7]?) { return String.fromCharCode(Number.parseInt(octal, 8) & 255); }
  / "\\" letter:[ntr"\\abfv] { return ESCAPES[letter]; }

_ "whitespace" = ([ \t\r\n] / "//" [^\n]* / "/*" (!"*/" .)* "*/" / "#!" [^\n]*)*
`;
