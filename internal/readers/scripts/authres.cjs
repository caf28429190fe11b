// Reads an Authentication-Results value in base64 from each line and prints, as
// a JSON object, the results that npm's mailauth shows. It keeps one result for
// each method but dkim. "none" in place of results is a method without one.
const parse = require('mailauth/lib/parse-dkim-headers');

function words(of, prefix) {
    return Object.entries(of).flatMap(([name, value]) => {
        if (typeof value === 'object') {
            return words(value, prefix + name + '.');
        }
        return prefix === '' && (name === 'value' || name === 'comment') ? [] : [`${prefix}${name}=${value}`];
    });
}

require('readline').createInterface({ input: process.stdin }).on('line', line => {
    const header = parse('Authentication-Results: ' + Buffer.from(line, 'base64').toString()).parsed;
    const shown = [header.value];
    for (const [method, of] of Object.entries(header)) {
        const noResult = ['header', 'value'].includes(method) || (method === 'none' && !of.value);
        for (const result of noResult ? [] : [].concat(of)) {
            shown.push([`${method}=${result.value}`, ...words(result, '')].join('\t'));
        }
    }
    process.stdout.write(JSON.stringify({ 'npm mailauth': shown }) + '\n');
});
