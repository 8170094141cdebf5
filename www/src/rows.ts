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
export const BEGINNING = `payment: You charged my card twice this month
payment: The invoice shows the wrong amount
payment: I want my money back for this order
payment: Can I pay with a different credit card?
payment: The discount code was not taken off the price
payment: Please send me a receipt for the payment
payment: My bank says the payment failed
payment: Why is there a fee on my bill?
delivery: My parcel has not arrived yet
delivery: The package came open and half empty
delivery: When will you ship my order?
delivery: The driver left the parcel at the wrong house
delivery: Can you send it to another address?
delivery: The tracking number does not work
delivery: The box was damaged during shipping
delivery: I was not at home when the courier came
account: I forgot my password and cannot log in
account: Please delete my account and my profile
account: How do I change my email address?
account: Someone else logged in with my user name
account: The app says my password is wrong
account: I cannot sign in on my new phone
account: How do I turn on login by a code?
account: My account is locked after three attempts`;
