// niceEnd is the end of a scale that reaches ms: 1, 2 or 5 times a power of ten.
export function niceEnd(ms: number): number {
  const power = 10 ** Math.floor(Math.log10(ms));
  return [1, 2, 5, 10].map((n) => n * power).find((end) => end >= ms) ?? ms;
}
