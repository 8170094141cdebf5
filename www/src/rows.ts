// Examples as somebody writes them: a label, a colon, and a text, one a line.

import type { Example } from "smallfirst";

/** The longest label that is one: a colon may also be a part of a text. */
const LONGEST = 60;

/** The lines that have a label, and how many have none. */
export function examplesIn(text: string): { examples: Example[]; odd: number } {
  const examples: Example[] = [];
  let odd = 0;
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const at = line.indexOf(":");
    if (at < 1 || at > LONGEST) odd += 1;
    else examples.push({ label: line.slice(0, at).trim(), text: line.slice(at + 1).trim() });
  }
  return { examples, odd };
}

/** A name for a task, of what somebody wrote. */
export function nameOf(text: string): string {
  const plain = text
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return plain.slice(0, 40) || "my-task";
}

/** What somebody may begin with. */
export const BEGINNING = `praise: What a lovely place, we will be back
praise: The staff were friendly and quick
praise: Best coffee in town, thank you
praise: I love how light this phone is
praise: Great service from start to finish
praise: My parcel came a day early, wonderful
praise: The room was clean and quiet
praise: You solved my problem in a minute
complaint: The soup was cold and nobody cared
complaint: I waited an hour for a taxi that never came
complaint: My screen broke after two days
complaint: Rude staff, dirty table, never again
complaint: You charged me twice for one ticket
complaint: The parcel arrived open and half empty
complaint: The heating did not work all night
complaint: Three calls and still no answer
question: What time do you open on Sundays?
question: Can I bring my dog?
question: How do I reset my password?
question: Is breakfast part of the price?
question: Do you deliver to the islands?
question: Where can I leave my luggage?
question: Which bus goes to the airport?
question: Can I change the name on my ticket?`;
