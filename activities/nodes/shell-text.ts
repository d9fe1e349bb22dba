/** Template tag for shell text: as written, where `\${` stands for the shell's `${`. */
export function sh(strings: TemplateStringsArray, ...parts: readonly string[]): string {
  return String.raw({ raw: strings.raw.map((text) => text.replaceAll('\\${', '${')) }, ...parts);
}
