/** What a person has chosen for this page; kept by the browser where it lets us. */

const KEY = "mirage";

/**
 * @typedef {{contrast: boolean | null, facts: boolean}} Settings Contrast null: as the system says.
 */

/** @returns {Settings} */
export function loadSettings() {
  const settings = { contrast: null, facts: true };
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    if (typeof kept.contrast === "boolean") settings.contrast = kept.contrast;
    if (typeof kept.facts === "boolean") settings.facts = kept.facts;
  } catch {
    // Nothing was kept, or it is not ours: begin as anybody.
  }
  return settings;
}

/** @param {Settings} settings */
export function keepSettings(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // This browser keeps nothing; the choice holds until the page is left.
  }
}
