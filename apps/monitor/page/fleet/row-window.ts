import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** The rows of a long table that exist in the page, and the one that Tab reaches. */
export interface RowWindow {
  /** The element that scrolls. */
  readonly box: RefObject<HTMLDivElement | null>;
  /** px. */
  readonly rowHeight: number;
  /** Indexes of the rows to render. */
  readonly indexes: readonly number[];
  readonly current: number;
  onScroll(): void;
  /** Moves the current row and the focus with the arrow keys, Page Up, Page Down, Home and End. */
  onKeyDown(event: KeyboardEvent): void;
}

const overscan = 6;
const rowHeights = { narrow: 64, wide: 46 };
const narrow = matchMedia("(max-width: 720px)");
const moves: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

function useRowHeight(): number {
  const [isNarrow, setNarrow] = useState(narrow.matches);
  useEffect(() => {
    const update = () => setNarrow(narrow.matches);
    narrow.addEventListener("change", update);
    return () => narrow.removeEventListener("change", update);
  }, []);
  return isNarrow ? rowHeights.narrow : rowHeights.wide;
}

function listIndexes(first: number, end: number, current: number): readonly number[] {
  const indexes = Array.from({ length: Math.max(0, end - first) }, (_, offset) => first + offset);
  return current < first || current >= end ? [...indexes, current] : indexes;
}

/** Follows the scrolling of a table of `count` rows. A new `resetKey` begins at the top again. */
export function useRowWindow(count: number, resetKey: unknown): RowWindow {
  const box = useRef<HTMLDivElement>(null);
  const rowHeight = useRowHeight();
  const [view, setView] = useState({ top: 0, height: 800 });
  const [at, setAt] = useState(0);
  const mustFocus = useRef(false);
  const current = Math.min(at, count - 1);

  const measure = () => {
    if (box.current) setView({ top: box.current.scrollTop, height: box.current.clientHeight });
  };
  useEffect(() => {
    const observer = new ResizeObserver(measure);
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (box.current) box.current.scrollTop = 0;
    setAt(0);
  }, [resetKey]);
  useLayoutEffect(() => {
    if (!mustFocus.current) return;
    mustFocus.current = false;
    box.current?.querySelector<HTMLElement>(`[data-at="${at}"] a`)?.focus({ preventScroll: true });
  }, [at]);

  const scrollTo = (element: HTMLElement, index: number) => {
    const top = index * rowHeight;
    const { clientHeight, scrollTop } = element;
    if (top < scrollTop) element.scrollTop = top;
    else if (top + rowHeight > scrollTop + clientHeight) element.scrollTop = top + rowHeight - clientHeight;
    measure();
  };

  return {
    box,
    rowHeight,
    indexes: listIndexes(
      Math.max(0, Math.floor(view.top / rowHeight) - overscan),
      Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + overscan),
      current,
    ),
    current,
    onScroll: measure,
    onKeyDown(event) {
      const ends: Readonly<Record<string, number>> = { Home: 0, End: count - 1 };
      const step = moves[event.key];
      const wanted = step === undefined ? ends[event.key] : at + step;
      if (wanted === undefined || !box.current) return;
      event.preventDefault();
      const next = Math.max(0, Math.min(count - 1, wanted));
      scrollTo(box.current, next);
      mustFocus.current = true;
      setAt(next);
    },
  };
}
