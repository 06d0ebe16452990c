import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import { usePage } from "../../app/page";
import { Link } from "../../parts/Link";

export default function NotFound() {
  usePage({ text: "Not found", href: "" });
  return (
    <ContentLayout header={<Header variant="h1">There is no such page</Header>}>
      The address may be mistyped, or from a newer version. Go to <Link href="/distributions">Distributions</Link>.
    </ContentLayout>
  );
}
