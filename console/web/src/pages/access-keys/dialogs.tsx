import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import CopyToClipboard from "@cloudscape-design/components/copy-to-clipboard";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { flash } from "../../app/flash";
import { client } from "../../client";
import type { AccessKey, Role } from "../../own";
import { Copyable } from "../../parts/Copyable";
import { Dialog } from "../../parts/Dialog";
import { RoleField } from "../../parts/people/RoleField";
import { useSession } from "../../use";

type NewKey = AccessKey & { secret: string };

export function CreateKey({ close }: { close: () => void }) {
  const [user, setUser] = useState("");
  const [role, setRole] = useState<Role>("invalidator");
  const [made, setMade] = useState<NewKey>();
  if (made) return <Secret made={made} close={close} />;
  const work = async () => setMade(await client.own<NewKey>("POST", "/access-keys", { user: user.trim(), role }));
  return (
    <Dialog title="Create access key" button="Create access key" work={work} close={close} ready={user.trim() !== ""}>
      <FormField label="User" description="Whoever uses the key: a person, or a machine such as ci. The audit trail names it.">
        <Input value={user} onChange={(e) => setUser(e.detail.value)} placeholder="ci" autoFocus />
      </FormField>
      <RoleField role={role} set={setRole} />
    </Dialog>
  );
}

// Secret shows the secret, this once.
function Secret({ made, close }: { made: NewKey; close: () => void }) {
  const environment = [
    `export AWS_ACCESS_KEY_ID=${made.id}`,
    `export AWS_SECRET_ACCESS_KEY=${made.secret}`,
    "export AWS_DEFAULT_REGION=us-east-1",
    `export AWS_ENDPOINT_URL_CLOUDFRONT=${location.origin}`,
  ].join("\n");
  return (
    <Modal
      visible={Boolean(useSession())}
      size="large"
      header="Created access key"
      onDismiss={(e) => e.detail.reason !== "overlay" && close()} // a click beside it must not lose the secret
      footer={<Box float="right"><Button variant="primary" onClick={close}>Done</Button></Box>}
    >
      <SpaceBetween size="m">
        <Alert type="warning">The secret is shown only now. Who loses it makes a new key.</Alert>
        <KeyValuePairs
          columns={1}
          items={[
            { label: "Access key ID", value: <Copyable text={made.id} what="access key ID" /> },
            { label: "Secret access key", value: <Copyable text={made.secret} what="secret access key" /> },
            { label: "Environment for the AWS CLI and SDKs", value: <Environment text={environment} /> },
          ]}
        />
      </SpaceBetween>
    </Modal>
  );
}

function Environment({ text }: { text: string }) {
  return (
    <>
      <Box variant="pre">{text}</Box>
      <CopyToClipboard
        textToCopy={text}
        copyButtonText="Copy"
        copyButtonAriaLabel="Copy environment"
        copySuccessText="Copied"
        copyErrorText="Could not copy"
      />
    </>
  );
}

export function DeleteKey({ accessKey, close }: { accessKey: AccessKey; close: () => void }) {
  const work = async () => {
    await client.own("DELETE", `/access-keys/${encodeURIComponent(accessKey.id)}`);
    flash({ type: "success", header: `Deleted access key ${accessKey.id}` });
    close();
  };
  return (
    <Dialog title="Delete access key" button="Delete" work={work} close={close}>
      <Box>Delete <b>{accessKey.id}</b>{accessKey.user && ` of ${accessKey.user}`}? Whatever still uses it is refused from then on.</Box>
    </Dialog>
  );
}
