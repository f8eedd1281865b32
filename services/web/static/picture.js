// An order's picture and its words light up together: what a step was caused by, and what it caused.

const lit = (picture, words, number) => {
  const near = new Set([number]);
  for (const arrow of picture.querySelectorAll(".arrow")) {
    if (arrow.dataset.from === number) near.add(arrow.dataset.to);
    if (arrow.dataset.to === number) near.add(arrow.dataset.from);
  }
  for (const step of picture.querySelectorAll("[data-step]")) step.classList.toggle("faint", number !== "" && !near.has(step.dataset.step));
  for (const arrow of picture.querySelectorAll(".arrow"))
    arrow.classList.toggle("faint", number !== "" && arrow.dataset.from !== number && arrow.dataset.to !== number);
  for (const row of words.querySelectorAll("[data-step]")) row.classList.toggle("lit", row.dataset.step === number);
};

export const lightCauses = () => {
  for (const kind of ["pointerover", "focusin"]) {
    document.addEventListener(kind, (event) => {
      const story = document.getElementById("story");
      if (!story) return;
      const step = event.target.closest?.("#story [data-step]");
      const picture = story.querySelector(".picture");
      const words = story.querySelector(".words");
      if (picture && words) lit(picture, words, step?.dataset.step ?? "");
    });
  }
};
