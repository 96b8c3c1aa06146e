// <input type="file" data-signature>: a field to sign on takes its place, and fills it with the picture.
// Without JavaScript a photo can be chosen; the form always has another way beside it.

for (const field of document.querySelectorAll("[data-signature]")) {
  const template = document.getElementById("signature-pad").content.cloneNode(true);
  const canvas = template.querySelector("canvas");
  const again = template.querySelector("button");
  const pen = canvas.getContext("2d");
  let isDown = false;

  const place = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    return [((clientX - box.left) * canvas.width) / box.width, ((clientY - box.top) * canvas.height) / box.height];
  };
  const keep = () => canvas.toBlob((picture) => {
    const files = new DataTransfer();
    files.items.add(new File([picture], "signature.png", { type: "image/png" }));
    field.files = files.files;
  });

  pen.lineWidth = 5;
  pen.lineCap = pen.lineJoin = "round";
  pen.strokeStyle = "#000000";
  canvas.addEventListener("pointerdown", (event) => {
    isDown = true;
    canvas.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo(...place(event));
    pen.lineTo(...place(event)); // a dot is a mark too
    pen.stroke();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!isDown) return;
    pen.lineTo(...place(event));
    pen.stroke();
  });
  for (const type of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(type, () => {
      if (isDown) keep();
      isDown = false;
    });
  }
  if (field.dataset.drawn) { // shown again because of another field
    const bytes = Uint8Array.from(atob(field.dataset.drawn), (sign) => sign.charCodeAt(0));
    createImageBitmap(new Blob([bytes], { type: "image/png" })).then((picture) => {
      pen.drawImage(picture, 0, 0);
      keep();
    });
  }
  again.addEventListener("click", () => {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    field.value = "";
  });
  field.hidden = true;
  field.after(template);
}
