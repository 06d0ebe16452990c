// inside keeps the way back in this app: another site's address is not followed.
export function inside(to: string | null): string {
  return to && /^\/(?![/\\])/.test(to) && !to.startsWith("/sign-in") ? to : "/distributions";
}
