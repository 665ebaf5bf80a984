import jakarta.xml.soap.SOAPElement;
import jakarta.xml.soap.SOAPEnvelope;
import jakarta.xml.soap.SOAPException;
import jakarta.xml.ws.BindingProvider;
import jakarta.xml.ws.WebServiceException;
import jakarta.xml.ws.handler.Handler;
import jakarta.xml.ws.handler.MessageContext;
import jakarta.xml.ws.handler.soap.SOAPHandler;
import jakarta.xml.ws.handler.soap.SOAPMessageContext;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import javax.xml.namespace.QName;

/** The reference implementation of JAX-WS and the contract of 2014: the request has no type, and the token is made by hand. */
class Edition {
    static Object nothingSpecial() {
        return "";
    }

    static void setPassword(BindingProvider port, String login, String secret) {
        port.getBinding().setHandlerChain(List.<Handler>of(new Token(login, secret)));
    }

    private record Token(String login, String secret) implements SOAPHandler<SOAPMessageContext> {
        private static final String OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
        private static final String WSSE = OASIS + "wssecurity-secext-1.0.xsd";

        @Override
        public boolean handleMessage(SOAPMessageContext context) {
            if (Boolean.TRUE.equals(context.get(MessageContext.MESSAGE_OUTBOUND_PROPERTY))) {
                try {
                    write(context.getMessage().getSOAPPart().getEnvelope());
                } catch (SOAPException | GeneralSecurityException error) {
                    throw new WebServiceException(error);
                }
            }
            return true;
        }

        private void write(SOAPEnvelope envelope) throws SOAPException, GeneralSecurityException {
            byte[] nonce = new byte[16];
            new SecureRandom().nextBytes(nonce);
            String created = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
            MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
            sha1.update(nonce);
            sha1.update((created + secret).getBytes(StandardCharsets.UTF_8));
            var header = envelope.getHeader() == null ? envelope.addHeader() : envelope.getHeader();
            SOAPElement token = header.addHeaderElement(new QName(WSSE, "Security", "wsse")).addChildElement("UsernameToken", "wsse");
            token.addChildElement("Username", "wsse").addTextNode(login);
            var password = token.addChildElement("Password", "wsse").addTextNode(base64(sha1.digest()));
            password.setAttribute("Type", OASIS + "username-token-profile-1.0#PasswordDigest");
            var text = token.addChildElement("Nonce", "wsse").addTextNode(base64(nonce));
            text.setAttribute("EncodingType", OASIS + "soap-message-security-1.0#Base64Binary");
            token.addChildElement("Created", "wsu", OASIS + "wssecurity-utility-1.0.xsd").addTextNode(created);
        }

        private static String base64(byte[] bytes) {
            return Base64.getEncoder().encodeToString(bytes);
        }

        @Override
        public boolean handleFault(SOAPMessageContext context) {
            return true;
        }

        @Override
        public void close(MessageContext context) {}

        @Override
        public Set<QName> getHeaders() {
            return Set.of();
        }
    }
}
