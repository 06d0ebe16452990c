import Autosuggest, { type AutosuggestProps } from "@cloudscape-design/components/autosuggest";
import { useEffect, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { useLoad } from "../../use";
import { type Catalog, type Hit, type Hits, find, loadCatalog, looksLikeInvalidation, lookUp, nothing } from "./find";

// Search is the box in the top bar. It takes stock when it gets the focus, and again when what it knows
// may be old.
export function Search() {
  const [epoch, setEpoch] = useState(0);
  const [text, setText] = useState("");
  const box = useRef<AutosuggestProps.Ref>(null);
  const chosen = useRef(false);
  const navigate = useNavigate();
  const { catalog, loading } = useCatalog(epoch);
  const older = useLookUp(text, catalog.distributions);
  const hits = useMemo(() => find(text, catalog), [text, catalog]);
  if (older && hits.invalidations.length === 0) hits.invalidations.push(older);
  const options = groups(hits);

  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (!e.altKey || e.code !== "KeyS") return;
      e.preventDefault();
      box.current?.focus();
    };
    document.addEventListener("keydown", key);
    return () => document.removeEventListener("keydown", key);
  }, []);

  const go = (href: string | undefined) => {
    if (!href) return;
    chosen.current = true;
    setText("");
    void navigate(href);
  };
  return (
    <Autosuggest
      ref={box}
      value={text}
      options={options}
      filteringType="manual"
      hideEnteredTextOption
      placeholder="Search [Alt+S]"
      ariaLabel="Search"
      empty={text ? "No matches" : undefined}
      statusType={loading ? "loading" : "finished"}
      loadingText="Looking"
      expandToViewport
      onFocus={() => setEpoch(Math.floor(Date.now() / 30_000))}
      onChange={(e) => setText(e.detail.value)}
      onSelect={(e) => go(e.detail.value)}
      onKeyDown={(e) => {
        if (e.detail.key !== "Enter") return;
        // Enter on an option selects it; Enter in the box takes the best one.
        chosen.current = false;
        setTimeout(() => !chosen.current && go(text ? options[0]?.options[0]?.value : undefined));
      }}
    />
  );
}

function useCatalog(epoch: number) {
  const kept = useRef(nothing);
  const { data, loading } = useLoad<Catalog>(
    async (signal, emit) => (epoch === 0 ? kept.current : loadCatalog(signal, emit)),
    [epoch],
  );
  if (data && data !== nothing) kept.current = data;
  return { catalog: data ?? kept.current, loading: loading && epoch > 0 };
}

function useLookUp(text: string, distributions: Parameters<typeof lookUp>[1]): Hit | undefined {
  const id = looksLikeInvalidation(text) ? text.trim() : "";
  const { data } = useLoad(async (signal) => (id ? lookUp(id, distributions, signal) : undefined), [id, distributions]);
  return data;
}

function groups(hits: Hits) {
  const group = (label: string, of: Hit[]) =>
    of.length > 0 ? [{ label, options: of.map((h) => ({ value: h.href, label: h.text, description: h.about })) }] : [];
  return [...group("Pages", hits.pages), ...group("Distributions", hits.distributions), ...group("Invalidations", hits.invalidations)];
}
