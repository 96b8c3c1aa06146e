// Takes the place of the queue on the page of a made-up job: nothing is sent, and nothing is kept.

/** Like `ActionQueue`, with the server left out: what the screen cannot answer by itself gets a few words. */
export class Practice {
  constructor(texts, onAnswer) {
    Object.assign(this, { texts, onAnswer });
    this.actions = [];
  }

  async add(item) {
    this.actions.push(item);
    if (!item.told) this.onAnswer(item, this.answer(item));
    return item;
  }

  answer({ kind }) {
    if (kind === "undo") return { kind: "unknown", text: this.texts.nothing_to_undo };
    if (kind === "scan") return { kind: "place", text: this.texts.any_tote };
    return { kind: "unknown", text: this.texts.left_alone };
  }

  async waiting() {
    return this.actions;
  }

  async rejected() {
    return [];
  }

  async keptJob() {}

  async keepJob() {}

  async forgetOthers() {}
}
