/**
 * The pages that the `allure` package generates load a Google tag, hard-coded in its templates. A report of ours talks to nobody: this removes
 * the script element that loads the tag and the one that configures it. Works on text of any size; text without the tag comes back as it is.
 *
 * How to make such a page from a results folder: `allure awesome <results>/allure-results -o OUT --single-file`, then this function over
 * `OUT/index.html`. Above some 1,500 results leave out `--single-file`: the page would not open in time.
 */
export function stripAnalytics(html: string): string {
  return removeScripts(removeScripts(html, 'src="https://www.googletagmanager.com/'), "gtag('config'");
}

/** True when the page would still talk to the tag's host. */
export function hasAnalytics(html: string): boolean {
  return html.includes('googletagmanager.com') || html.includes("gtag('config'");
}

/** Removes every script element that holds the text. No regular expression: pages can have a hundred megabytes. */
function removeScripts(html: string, text: string): string {
  let rest = html;
  for (let at = rest.indexOf(text); at >= 0; at = rest.indexOf(text, at)) {
    const start = rest.lastIndexOf('<script', at);
    const end = rest.indexOf('</script>', at);
    if (start < 0 || end < 0) return rest;
    rest = rest.slice(0, start) + rest.slice(end + '</script>'.length);
    at = start;
  }
  return rest;
}
