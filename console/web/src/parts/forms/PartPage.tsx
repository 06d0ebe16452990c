import type { DistributionConfig } from "@aws-sdk/client-cloudfront";
import type { ComponentType, ReactNode } from "react";
import { useParams } from "react-router";
import { EditPage, type Frame } from "./EditPage";
import { NoSuch } from "./NoSuch";

// Part is what the fields of a PartPage go by.
export interface Part<T> {
  config: DistributionConfig;
  others: T[]; // of the list
  was: T | undefined; // undefined: it is made anew
  keep: (made: T) => void; // saves it
  frame: (fields: ReactNode, submit: () => void) => ReactNode;
}

interface Props<T> {
  one: string;
  tab: string; // of the distribution's page
  items: (config: DistributionConfig) => T[] | undefined;
  name: (part: T) => string;
  into: (list: { Quantity: number; Items: T[] }) => Partial<DistributionConfig>;
  fields: ComponentType<Part<T>>;
}

// PartPage makes one of a list in a distribution's configuration, or edits the one whose name is in the address.
export function PartPage<T>({ one, tab, items, name, into, fields: Fields }: Props<T>) {
  const { which } = useParams();
  const part = (config: DistributionConfig, save: (config: DistributionConfig, done: string) => void, frame: Frame): Part<T> => {
    const all = items(config) ?? [];
    const was = all.find((x) => name(x) === which);
    return {
      config,
      was,
      others: all.filter((x) => x !== was),
      keep: (made) => {
        const kept = was ? all.map((x) => (x === was ? made : x)) : [...all, made];
        save({ ...config, ...into({ Quantity: kept.length, Items: kept }) }, `${was ? "Saved" : "Created"} ${one} ${name(made)}`);
      },
      frame: (fields, submit) => frame(fields, submit, was ? undefined : `Create ${one}`),
    };
  };
  return (
    <EditPage title={`${which === undefined ? "Create" : "Edit"} ${one}`} tab={tab}>
      {({ config }, save, frame) => {
        const of = part(config, save, frame);
        return which !== undefined && !of.was ? <NoSuch one={one} named={which} /> : <Fields {...of} />;
      }}
    </EditPage>
  );
}
