import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Grid from "@cloudscape-design/components/grid";
import Header from "@cloudscape-design/components/header";
import Input, { type InputProps } from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Navigate, useSearchParams } from "react-router";
import { usePage } from "../../app/page";
import { client } from "../../client";
import { Refused, Unreachable, code, explain } from "../../errors";
import { inside } from "../../inside";
import { useSession, useWork } from "../../use";

// SignIn is the page for signing in, or stands in the place of one whose session has ended, which is shown again then.
export default function SignIn({ ended = false }: { ended?: boolean }) {
  return ended ? <Again /> : <Page />;
}

function Page() {
  usePage({ text: "Sign in", href: "/sign-in" });
  const session = useSession();
  const [params] = useSearchParams();
  if (session) return <Navigate to={inside(params.get("return"))} replace />;
  return <Form says="The console of this Warmfront." />;
}

function Again() {
  const [was] = useState(() => ({ title: document.title, focus: document.activeElement }));
  useEffect(() => {
    document.title = "Sign in · Warmfront";
    return () => {
      document.title = was.title;
      if (was.focus instanceof HTMLElement) was.focus.focus();
    };
  }, [was]);
  return <Form says="Your session has ended. What you have typed is kept until you sign in again." />;
}

function Form({ says }: { says: string }) {
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const first = useRef<InputProps.Ref>(null);
  const second = useRef<InputProps.Ref>(null);
  const { busy, error, run } = useWork();

  useEffect(() => first.current?.focus(), []);
  useEffect(() => {
    if (code(error) === "WrongCredentials") second.current?.select();
  }, [error]);

  const submit = (e: FormEvent) => {
    e.preventDefault();
    run(() => client.signIn(user.trim(), password));
  };
  return (
    <Box padding={{ vertical: "xxl" }}>
      <Grid gridDefinition={[{ colspan: { default: 12, xs: 8, s: 6, l: 4 }, offset: { default: 0, xs: 2, s: 3, l: 4 } }]}>
        <form onSubmit={submit} method="post" action="/sign-in">
          <Container header={<Header variant="h1" description={says}>Sign in</Header>}>
            <SpaceBetween size="l">
              {error ? <Alert type="error">{reason(error)}</Alert> : null}
              <FormField label="User">
                <Input ref={first} value={user} onChange={(e) => setUser(e.detail.value)} name="username" autoComplete="username" ariaRequired />
              </FormField>
              <FormField label="Password">
                <Input
                  ref={second}
                  type="password"
                  value={password}
                  onChange={(e) => setPassword(e.detail.value)}
                  name="password"
                  autoComplete="current-password"
                  ariaRequired
                />
              </FormField>
              <Button variant="primary" fullWidth loading={busy}>Sign in</Button>
            </SpaceBetween>
          </Container>
        </form>
      </Grid>
    </Box>
  );
}

function reason(error: unknown): string {
  if (code(error) === "WrongCredentials") return "User or password is wrong.";
  if (error instanceof Refused && error.status === 429) {
    return `Too many attempts. Try again in ${error.retryAfter ? `${error.retryAfter} seconds` : "a while"}.`;
  }
  return error instanceof Unreachable && !error.told ? "Warmfront does not answer. Try again in a moment." : explain(error);
}
