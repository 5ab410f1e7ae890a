/** HTTP's three forms of a date (RFC 9110 §5.6.7). Pure. */

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const month = `(?<month>${months.join('|')})`;
const clock = String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)`;
const forms = [
  new RegExp(String.raw`^[A-Z][a-z]{2}, (?<day>\d\d) ${month} (?<year>\d{4}) ${clock} GMT$`),
  new RegExp(String.raw`^[A-Z][a-z]{5,8}, (?<day>\d\d)-${month}-(?<year>\d\d) ${clock} GMT$`),
  new RegExp(String.raw`^[A-Z][a-z]{2} ${month} (?<day>[ \d]\d) ${clock} (?<year>\d{4})$`),
];

/** Seconds since 1970; undefined for what is no date. */
export function parseHttpDate(text: string): number | undefined {
  for (const form of forms) {
    const parts = form.exec(text)?.groups;
    if (parts === undefined) continue;
    const [day, hour, minute, second] = [parts['day'], parts['hour'], parts['minute'], parts['second']].map(Number);
    const year = Number(parts['year']);
    // Two digits as Go reads them.
    const whole = parts['year']!.length === 4 ? year : year + (year >= 69 ? 1900 : 2000);
    const at = Date.UTC(whole, months.indexOf(parts['month']!), day, hour, minute, second);
    const isReal = new Date(at).getUTCDate() === day && hour! < 24 && minute! < 60 && second! < 60;
    return isReal ? at / 1000 : undefined;
  }
  return undefined;
}
