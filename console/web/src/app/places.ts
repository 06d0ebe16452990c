// The pages that the navigation and the search know, with other words that people look for them under.

export interface Place {
  href: string;
  text: string;
  also: string[];
  group: "" | "Telemetry" | "Reports & analytics" | "Access";
  administrator?: boolean;
}

export const places: Place[] = [
  { href: "/distributions", text: "Distributions", also: ["cloudfront", "invalidations", "warmfront"], group: "" },
  { href: "/monitoring", text: "Monitoring", also: ["metrics", "dashboard", "hit ratio"], group: "Telemetry" },
  { href: "/edges", text: "Edge locations", also: ["nodes", "caches", "lease", "relays", "control nodes"], group: "Telemetry" },
  { href: "/popular-objects", text: "Popular objects", also: ["urls", "top"], group: "Reports & analytics" },
  { href: "/users", text: "Users", also: ["password", "roles"], group: "Access", administrator: true },
  { href: "/access-keys", text: "Access keys", also: ["credentials", "secret"], group: "Access", administrator: true },
  { href: "/audit", text: "Audit trail", also: ["history", "who", "log"], group: "Access" },
];
