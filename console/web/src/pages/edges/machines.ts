// What is listed beside edges: the control plane's machines, and places.

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
