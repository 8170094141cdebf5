/** Things to try. For each task, the last one is hard for its small model. */
export const EXAMPLES: Record<string, { name: string; input: string }[]> = {
  language: [
    { name: "German", input: "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig." },
    { name: "Portuguese", input: "Amanhã vamos à praia com as crianças, se não chover." },
    { name: "Turkish", input: "Bugün hava çok güzel, dışarı çıkıp biraz yürüyelim." },
    { name: "Two words (hard)", input: "banana original" },
  ],
  sentiment: [
    { name: "Happy", input: "I love this, what a wonderful day! Thank you so much" },
    { name: "Annoyed", input: "Worst service ever, two hours late and nobody even said sorry" },
    { name: "Mixed (hard)", input: "I guess the flight was okay but the seat was small" },
  ],
  spam: [
    {
      name: "Offer",
      input: "FREE MONEY!!!\n\nClick here to claim your free prize, limited offer, 100% guaranteed income",
    },
    {
      name: "Patch",
      input: "Re: build fails on 2.4 kernel\n\nThe patch you sent last week works for me. Could you commit it?",
    },
    { name: "Another language (hard)", input: "Rechnung\n\nSehr geehrte Damen und Herren, anbei erhalten Sie unsere Rechnung." },
  ],
  "file-type": [
    { name: "Python", input: "import sys\n\ndef main(argv):\n    for line in open(argv[1]):\n        print(line.strip())\n\nmain(sys.argv)\n" },
    { name: "HTML", input: "<!doctype html><html><head><title>Hello</title></head><body><p>Hello, world</p></body></html>" },
    { name: "A few words (hard)", input: "to be, or not to be" },
  ],
};
