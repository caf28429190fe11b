// Reads the mail of a DMARC aggregate report in base64 from each line and prints,
// as a JSON object, the rows that npm's dmarc-report-parser shows.
const { parseDmarcReportFromEmail } = require('dmarc-report-parser');

(async () => {
    for await (const line of require('readline').createInterface({ input: process.stdin })) {
        const answer = {};
        try {
            const [report] = (await parseDmarcReportFromEmail(Buffer.from(line, 'base64'))).reports;
            answer['npm dmarc-report-parser'] = report.record.map(({ row }) =>
                [row.sourceIp, row.policyEvaluated.disposition, row.policyEvaluated.dkim, row.policyEvaluated.spf, row.count].join('\t'));
        } catch (err) {
            answer.refused = err.issues ? err.issues.map(i => i.path.join('.')) : [err.message];
        }
        process.stdout.write(JSON.stringify(answer) + '\n');
    }
})();
