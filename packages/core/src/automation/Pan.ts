/** A card number: 12 to 19 digits with a check digit (ISO/IEC 7812-1, annex B). Blanks and hyphens between digits are ignored. */
export const parsePan = (text: string): string | undefined => {
  const digits = text.replace(/(?<=\d)[ -](?=\d)/g, "")
  if (!/^\d{12,19}$/.test(digits)) return undefined
  const sum = [...digits].toReversed().reduce((total, digit, i) => {
    const value = Number(digit) * (i % 2 === 0 ? 1 : 2)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0 ? digits : undefined
}
