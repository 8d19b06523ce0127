/** The ways in which photos come to the page: chosen, taken, dropped, pasted. */

export const isAddress = (text) => /^https?:\/\/\S+$/i.test(text);

/** Whether keys typed here are text. */
export const isField = (target) => target.matches("input, select");

/** `onPhotos(files, add)` gets photos, with `add` as further examples; `onText(text)` gets an address or words. */
export function listen(onPhotos, onText) {
  document.addEventListener("change", ({ target }) => {
    if (target.type !== "file" || !target.files.length) return;
    onPhotos([...target.files], target.multiple);
    target.value = ""; // so that choosing the same file again is a change
  });
  document.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text/plain").trim();
    if (event.clipboardData.files.length) onPhotos([...event.clipboardData.files], false);
    else if (text && !isField(event.target)) onText(text);
    else return;
    event.preventDefault();
  });
  listenToDrops(onPhotos, onText);
}

function listenToDrops(onPhotos, onText) {
  const shade = document.querySelector("#shade");
  let leaving = 0;
  addEventListener("dragover", (event) => {
    event.preventDefault();
    shade.hidden = false;
    clearTimeout(leaving);
    leaving = setTimeout(() => (shade.hidden = true), 500); // it is told every 350 ms at least
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    shade.hidden = true;
    const { files } = event.dataTransfer;
    const address = event.dataTransfer.getData("URL");
    if (files.length) onPhotos([...files], false);
    else if (address) onText(address);
  });
}
