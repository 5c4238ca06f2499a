// nodemailer.js PORT < {envelope and message as nodemailer's sendMail() takes them} - Buffers are
// given as {"path": FILE}. Prints the server's answer.
const nodemailer = require('nodemailer');

let text = '';
process.stdin.on('data', (piece) => { text += piece; });
process.stdin.on('end', async () => {
    const transport = nodemailer.createTransport({
        host: '127.0.0.1', port: Number(process.argv[2]), secure: false, ignoreTLS: true,
        name: 'client.example',
    });
    try {
        console.log((await transport.sendMail(JSON.parse(text))).response);
    } catch (error) {
        console.log(String(error));
        process.exitCode = 1;
    }
    transport.close();
});
