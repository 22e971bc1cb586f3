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
    const again = error.status === 403 ? { "Load the page again": () => location.reload() } : {};
    this.say(`${what}: ${error.message}`, { ...again, Close: null }, "failed");
  }

  hide(topic) {
    if (this.topic === topic) this.element.hidden = true;
  }
}
