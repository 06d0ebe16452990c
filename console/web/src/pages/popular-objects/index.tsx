import { usePage } from "../../app/page";
import { OfDistribution } from "../../parts/OfDistribution";
import { Popular } from "../../parts/dashboard/Popular";

export default function PopularObjects() {
  usePage({ text: "Popular objects", href: "/popular-objects" });
  return <OfDistribution title="Popular objects">{(id) => <Popular id={id} title="Objects" />}</OfDistribution>;
}
