// Receive certpipe's webhooks: verify each delivery, and answer 204.
//
//   WEBHOOK_KEYS=whsec_... dotnet run -- 8000        (or with Mono: mcs Receiver.cs && mono Receiver.exe 8000)
//
// WEBHOOK_KEYS: one or more `whsec_` secrets with spaces between, so that an old one may overlap. No dependencies.
// (v1a, Ed25519, needs a library: .NET has no Ed25519 of its own.)

using System;
using System.IO;
using System.Linq;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading.Tasks;

static class Receiver
{
    const int ToleranceSeconds = 300;
    const int MostBytes = 1000000;

    /// <summary>Whether one of the signatures is by one of the secrets, and the delivery is recent.</summary>
    /// <param name="body">The body as it came.</param>
    static bool Verified(string[] secrets, string id, string sentAt, string signatures, byte[] body)
    {
        if (id == null || signatures == null || !Regex.IsMatch(sentAt ?? "", @"\A[0-9]{1,12}\z")) return false;
        var age = DateTimeOffset.UtcNow.ToUnixTimeSeconds() - long.Parse(sentAt);
        if (Math.Abs(age) > ToleranceSeconds) return false;
        var content = Encoding.UTF8.GetBytes(id + "." + sentAt + ".").Concat(body).ToArray();
        foreach (var secret in secrets)
        {
            using (var hmac = new HMACSHA256(Convert.FromBase64String(secret.Replace("whsec_", ""))))
            {
                var wanted = Encoding.UTF8.GetBytes("v1," + Convert.ToBase64String(hmac.ComputeHash(content)));
                foreach (var given in signatures.Split(' '))
                    if (CryptographicOperations.FixedTimeEquals(wanted, Encoding.UTF8.GetBytes(given))) return true;
            }
        }
        return false;
    }

    /// <summary>
    /// Your work, done once: deliveries come at least once, in any order. Insert the id into a table with a unique key,
    /// in the transaction of your work; if it was there already, do nothing. What takes longer than a few seconds
    /// belongs into a queue of yours: after 15 seconds a delivery counts as failed.
    /// </summary>
    static void Handle(string deliveryId, string json)
    {
        Console.WriteLine(deliveryId + " " + json);
    }

    static void Answer(HttpListenerContext context, string[] secrets)
    {
        var status = 500; // any answer but 2xx lets certpipe try again
        try
        {
            var headers = context.Request.Headers;
            // A body that is longer is cut, and so does not verify.
            var body = new BinaryReader(context.Request.InputStream).ReadBytes(MostBytes);
            var good = Verified(
                secrets, headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"], body);
            if (good) Handle(headers["webhook-id"], Encoding.UTF8.GetString(body));
            status = good ? 204 : 401;
        }
        catch (Exception error) { Console.Error.WriteLine(error); }
        context.Response.StatusCode = status;
        context.Response.Close();
    }

    static void Main(string[] arguments)
    {
        var secrets = (Environment.GetEnvironmentVariable("WEBHOOK_KEYS") ?? "")
            .Split(new[] { ' ' }, StringSplitOptions.RemoveEmptyEntries);
        if (secrets.Length == 0) throw new InvalidOperationException("WEBHOOK_KEYS is not set");
        var listener = new HttpListener();
        listener.Prefixes.Add("http://127.0.0.1:" + arguments[0] + "/");
        listener.Start();
        while (true)
        {
            var context = listener.GetContext();
            Task.Run(() => Answer(context, secrets));
        }
    }
}
