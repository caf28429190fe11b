// Reads a From value in base64 from each line and prints, as a JSON object, the
// addresses that each of npm's parsers shows: the present ones and those that
// still took addresses out of quoted strings.
const path = require('path');
const { pathToFileURL } = require('url');
const libmime = require('libmime');
const nodemailer = require('nodemailer/lib/addressparser');
const nodemailer6 = require('nodemailer-6/lib/addressparser');
const postalMime = require('postal-mime');

// An octet that is no UTF-8 is read as ISO 8859-1.
function text(raw) {
    const sequence = /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}/g;
    return raw.toString('latin1').replace(sequence, octets => Buffer.from(octets, 'latin1').toString('utf8'));
}

// An entry without an address has a name only, which is shown as a name.
function addresses(list) {
    return list.flatMap(entry => entry.group ? addresses(entry.group) : [entry.address]).filter(a => a);
}

// mailparser decodes an entry of encoded words only and parses it again.
function mailparser(value) {
    return nodemailer(value, { flatten: true }).flatMap(entry => {
        if (!entry.address && /^(=\?([^?]+)\?[BbQq]\?[^?]*\?=)(\s*=\?([^?]+)\?[BbQq]\?[^?]*\?=)*$/.test(entry.name || '')) {
            return nodemailer(libmime.decodeWords(entry.name), { flatten: true });
        }
        return [entry];
    });
}

async function main() {
    const file = path.join(process.env.NODE_PATH, 'postal-mime-2.4/src/postal-mime.js');
    const postalMime24 = await import(pathToFileURL(file).href);
    const readers = {
        'npm nodemailer': nodemailer,
        'npm nodemailer, decoded before': value => nodemailer(libmime.decodeWords(value)),
        'npm nodemailer, elements decoded': mailparser,
        'npm nodemailer 6': nodemailer6,
        'npm nodemailer 6, decoded before': value => nodemailer6(libmime.decodeWords(value)),
        'npm postal-mime': postalMime.addressParser,
        'npm postal-mime, decoded before': value => postalMime.addressParser(postalMime.decodeWords(value)),
        'npm postal-mime 2.4': postalMime24.addressParser,
    };
    for await (const line of require('readline').createInterface({ input: process.stdin })) {
        const value = text(Buffer.from(line, 'base64'));
        const answer = {};
        for (const [name, read] of Object.entries(readers)) {
            try {
                answer[name] = addresses(read(value));
            } catch (err) {
                // it refuses the field, or stumbles
            }
        }
        process.stdout.write(JSON.stringify(answer) + '\n');
    }
}

main();
