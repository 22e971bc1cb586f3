// The bar at the top: what the reader has to know or to decide.

export class Bar {
  constructor(element) {
    this.element = element;
    this.topic = "";
  }

  // `choices` are buttons by their words; each closes the bar.
  say(text, choices = {}, topic = "") {
    this.topic = topic;
    const words = document.createElement("span");
    words.textContent = text;
    const buttons = Object.entries(choices).map(([name, act]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", () => {
        this.hide(topic);
        act?.();
      });
      return button;
    });
    this.element.replaceChildren(words, ...buttons);
    this.element.hidden = false;
  }

  failed(what, error) {
    this.say(`${what}: ${error.message}`, { Close: null }, "failed");
  }

  // Nothing is sent any more, until the reader says that the server is there.
  lost(resume) {
    const words =
      "the server has ended; start it again and open its address in this tab: the text here stays";
    this.say(words, { "Try again": resume }, "lost");
  }

  hide(topic) {
    if (this.topic === topic) this.element.hidden = true;
  }
}
