// What is kept beyond a visit: one table of strings in IndexedDB, shared by all tabs of the site.

const DATABASE = "smallfirst";
const TABLE = "kept";

let opened: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
    request.onsuccess = () => {
      // Another tab wants to delete it or has a newer version: let it.
      request.result.onversionchange = () => {
        request.result.close();
        opened = undefined;
      };
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("the database is in use"));
  });
  // A failure is not remembered.
  opened.catch(() => (opened = undefined));
  return opened;
}

/**
 * Changes one string in one piece: a transaction that writes keeps those of all other tabs waiting, so that nobody comes in
 * between. Rejects where the browser keeps nothing.
 */
export async function update(key: string, change: (before: string | undefined) => string | undefined): Promise<void> {
  const transaction = (await open()).transaction(TABLE, "readwrite");
  const table = transaction.objectStore(TABLE);
  await new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    const get = table.get(key) as IDBRequest<unknown>;
    get.onsuccess = () => {
      const before = typeof get.result === "string" ? get.result : undefined;
      try {
        const after = change(before);
        if (after === undefined) table.delete(key);
        else if (after !== before) table.put(after, key);
      } catch {
        // Whoever wanted the change is gone; nothing is changed.
        transaction.abort();
      }
    };
  });
}
