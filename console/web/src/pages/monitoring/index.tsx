import { usePage } from "../../app/page";
import { OfDistribution } from "../../parts/OfDistribution";
import { Dashboard } from "../../parts/dashboard/Dashboard";

export default function Monitoring() {
  usePage({ text: "Monitoring", href: "/monitoring" });
  return <OfDistribution title="Monitoring">{(id) => <Dashboard id={id} title="Traffic" />}</OfDistribution>;
}
