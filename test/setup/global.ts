/** Runs once before all test files, in vitest's own process. */
export function setup(): void {}
