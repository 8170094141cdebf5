export interface Item {
  readonly id: number;
  text: string;
  done?: boolean;
}

type Listener = (items: readonly Item[]) => void;

export class Store {
  private items: Item[] = [];
  private readonly listeners = new Set<Listener>();

  constructor(private readonly key: string) {
    this.items = JSON.parse(localStorage.getItem(key) ?? '[]') as Item[];
  }

  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  add(text: string): Item {
    const item: Item = { id: Date.now(), text };
    this.items = [...this.items, item];
    this.changed();
    return item;
  }

  private changed(): void {
    localStorage.setItem(this.key, JSON.stringify(this.items));
    for (const listener of this.listeners) listener(this.items);
  }
}
