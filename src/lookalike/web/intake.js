/** The ways in which photos come to the page: chosen, taken, dropped, pasted, or as an address or words. */

export const isAddress = (text) => /^https?:\/\/\S+$/i.test(text);

/** Whether keys typed here are text. */
export const isField = (target) => target.matches("input:not([type=file]), select");

/**
 * @param {(photos: File[], add: boolean) => void} onPhotos with `add` as further examples
 * @param {(text: string) => void} onText an address or words
 */
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
  let depth = 0; // enter and leave are told for every element on the way
  const follow = (event, change) => {
    event.preventDefault();
    depth = Math.max(0, change);
    shade.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => follow(event, depth + 1));
  addEventListener("dragleave", (event) => follow(event, depth - 1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    follow(event, 0);
    const { files } = event.dataTransfer;
    const address = event.dataTransfer.getData("text/uri-list").split(/\r?\n/).find(isAddress);
    if (files.length) onPhotos([...files], false);
    else if (address) onText(address);
  });
}
