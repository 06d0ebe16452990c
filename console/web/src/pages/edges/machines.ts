// What is listed beside edges: the control plane's machines, relays, and places.

import type { Doubt, EdgeNode } from "../../own";

export interface Machines {
  edges: EdgeNode[];
  control: ControlNode[];
  relays: RelayNode[];
  doubt: Doubt | null; // why invalidations take half a minute
}

export interface ControlNode {
  name: string;
  version: string; // empty for another than the one that was asked
  position: number; // the same: 0
  ready: boolean;
  problem: string; // why it is not
  leads: boolean; // of several
}

export interface PlaceOfEdges {
  place: string;
  parent: string; // empty for the origin
  edges: number;
}

export interface RelayNode {
  name: string;
  version: string; // empty when it does not answer
  address: string;
  ready: boolean;
  edges: number; // to which it passes on what is pushed
  connections: number;
  position: number; // in the journal, of what it has passed on last
}
